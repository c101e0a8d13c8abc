"""a + b."""


def forward(a, b):
    return a + b


def elementwise_add(a, b, y, rows, hidden):
    return (a.tensor(rows, hidden), b.tensor(rows, hidden)), (y.tensor(rows, hidden),)
