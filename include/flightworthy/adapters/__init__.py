"""One bridge per vendor. They are independent of one another; hooks, the deployer and the command line build them."""
