"""What the triggerer waits for: new partitions, and releases that come to their end."""
