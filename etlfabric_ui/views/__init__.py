"""What pages are given: flat values, already in words; never the services' own."""
