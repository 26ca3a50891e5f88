"""Reports: tables for the terminal."""
