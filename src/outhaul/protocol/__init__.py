"""The wire format of the protocol, as pure functions and declarations: no I/O, no clock."""
