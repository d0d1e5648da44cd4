"""One module a revision, in the order of their numbers. Written once, never changed: databases have been through it."""
