"""From counters on a metrics page to what both arms gained."""
