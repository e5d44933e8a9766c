"""What goes over the wire, as functions of their arguments: no I/O, no clock."""
