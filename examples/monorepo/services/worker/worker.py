"""Groups the texts of its standard input: alike ones, by a threshold, are one group."""

import sys

import networkx
from features import vector


def main(threshold: float = 0.9) -> None:
    texts = [line.strip() for line in sys.stdin if line.strip()]
    vectors = [vector(t) for t in texts]
    graph = networkx.Graph()
    graph.add_nodes_from(range(len(texts)))
    for i in range(len(texts)):
        for j in range(i):
            if vectors[i] @ vectors[j] > threshold:
                graph.add_edge(i, j)
    for group in networkx.connected_components(graph):
        print(" | ".join(texts[i] for i in sorted(group)))


if __name__ == "__main__":
    main()
