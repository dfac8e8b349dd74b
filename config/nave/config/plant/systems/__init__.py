"""The same plant as its real systems hold it: what the ready-made systems of Nave read, and the truth in their names."""
