"""What the cases are made with: processes, loads, tables, results."""
