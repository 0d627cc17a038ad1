"""`santral api`: the process."""
