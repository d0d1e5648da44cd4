"""Connection in, adapter out: the only place where the core meets its vendors."""
