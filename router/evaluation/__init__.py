"""What was decided, asked again: traces, what-ifs, comparisons. It reads and never writes."""
