package compat

// DefaultPython is the Python of a project that names none.
const DefaultPython = "3.11"
