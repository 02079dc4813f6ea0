"""Storage of trajectories: the file format, reading and writing of one file, folders of shards, and many files at once."""
