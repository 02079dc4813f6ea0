"""What users pass becomes flat states, and flat states become labelled results."""
