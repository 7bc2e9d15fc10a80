"""The panel's copy, one module an area, beside `strings`."""
