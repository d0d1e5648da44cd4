"""The whole line on one machine: the processes, the data that arrives, the requests, and the tour through them."""
