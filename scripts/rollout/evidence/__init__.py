"""Statistics on arrays of counts: knows no policy, no names, no clock."""
