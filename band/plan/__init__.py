"""Plans: tasks, immutable plan tables, the best_plan kernel, the capacity bound."""
