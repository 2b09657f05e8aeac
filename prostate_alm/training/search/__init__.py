"""The paper's incremental grid search, on any cohort."""
