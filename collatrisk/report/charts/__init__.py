"""One module a chart: a pure function from a plain table to a `Chart`."""
