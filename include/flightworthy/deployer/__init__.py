"""The one daemon that owns the model servers and the router, and makes them equal to each model's row."""
