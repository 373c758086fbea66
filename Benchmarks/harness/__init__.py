"""What all scenarios share: processes to measure, results in files, tables made of them."""
