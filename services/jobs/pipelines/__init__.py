"""What is done for each type of job: one file each, in steps that are recorded."""
