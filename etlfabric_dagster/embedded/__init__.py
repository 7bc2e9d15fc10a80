"""The whole stack on one machine without Docker: embedded servers and the processes beside them."""
