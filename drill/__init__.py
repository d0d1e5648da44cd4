"""``make drill``: everything is killed, broken and asked for at once, while requests flow; then it is looked at."""
