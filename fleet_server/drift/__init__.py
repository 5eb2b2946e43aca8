"""Whether devices see, or answer, something else than they used to. Pure: state and looks in, changes out."""
