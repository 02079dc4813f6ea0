"""What every other folder uses, and nothing of theirs.

- `errors`: the errors that public calls raise. `checks` and `arrays` raise them for settings and for arrays.
- `files` and `json_forms`: files with a checksum. `json_dataclass`: settings that are stored as JSON.
- `time_budget`: who gets which share of `max_seconds`. `random`: named streams of random numbers. `devices`, `optional`.
"""
