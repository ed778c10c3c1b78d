"""What ci/bench is made of: machines, the client, peers, groups of rows, the gate and the report."""
