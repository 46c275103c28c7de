//! What a set of arrows looks like: rings, floors, and an order that few arrows run against.

use std::collections::{BTreeMap, BTreeSet};

/// Arrows by where they start. Every node has an entry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Graph<T: Ord + Clone> {
    arrows: BTreeMap<T, BTreeSet<T>>,
}

impl<T: Ord + Clone> Graph<T> {
    pub(crate) fn add_node(&mut self, node: T) {
        self.arrows.entry(node).or_default();
    }

    pub(crate) fn add_arrow(&mut self, from: T, to: T) {
        self.add_node(to.clone());
        self.arrows.entry(from).or_default().insert(to);
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = &T> {
        self.arrows.keys()
    }

    pub(crate) fn arrows(&self) -> impl Iterator<Item = (&T, &T)> {
        self.arrows.iter().flat_map(|(from, to)| to.iter().map(move |to| (from, to)))
    }

    /// Returns the nodes that `from` names.
    pub(crate) fn named_by(&self, from: &T) -> impl Iterator<Item = &T> {
        self.arrows.get(from).into_iter().flatten()
    }

    fn reachable(&self, from: &T) -> BTreeSet<T> {
        let mut reached = BTreeSet::new();
        let mut open = vec![from];
        while let Some(at) = open.pop() {
            for to in self.named_by(at) {
                if reached.insert(to.clone()) {
                    open.push(to);
                }
            }
        }
        reached
    }

    /// Returns the sets of nodes each of which leads to each other, the largest first.
    pub(crate) fn rings(&self) -> Vec<BTreeSet<T>> {
        let mut rings: Vec<BTreeSet<T>> = self.groups().into_iter().filter(|group| group.len() > 1).collect();
        rings.sort_by_key(|ring| std::cmp::Reverse(ring.len()));
        rings
    }

    /// Returns the nodes in groups of those that lead to each other; a node without a ring is a
    /// group of its own.
    fn groups(&self) -> Vec<BTreeSet<T>> {
        let reached: BTreeMap<&T, BTreeSet<T>> = self.nodes().map(|node| (node, self.reachable(node))).collect();
        let mut groups: Vec<BTreeSet<T>> = Vec::new();
        for node in self.nodes() {
            if groups.iter().any(|group| group.contains(node)) {
                continue;
            }
            let ring = reached[node].iter().filter(|other| reached[*other].contains(node)).cloned();
            groups.push(ring.chain([node.clone()]).collect());
        }
        groups
    }

    /// Returns the number of floors: nodes on the longest way along the arrows that do not run
    /// against `order`.
    pub(crate) fn floors(&self, order: &[T]) -> usize {
        let mut floors: BTreeMap<&T, usize> = BTreeMap::new();
        for node in order.iter().chain(self.nodes().filter(|node| !order.contains(node))) {
            let below = self.named_by(node).filter_map(|to| floors.get(to)).max().copied().unwrap_or_default();
            floors.insert(node, below + 1);
        }
        floors.values().max().copied().unwrap_or_default()
    }

    /// Returns the nodes in an order against which few arrows run: what is named stands before what
    /// names it.
    pub(crate) fn order(&self) -> Vec<T> {
        let mut left: BTreeSet<&T> = self.nodes().collect();
        let mut order = Vec::new();
        while !left.is_empty() {
            let open = |node: &T| self.named_by(node).filter(|to| *to != node && left.contains(to)).count();
            let users = |node: &T| left.iter().filter(|from| self.named_by(from).any(|to| to == node)).count();
            // The one that names the least that is not placed yet, and is named most.
            let next = left.iter().min_by_key(|node| (open(node), usize::MAX - users(node))).copied();
            let Some(next) = next else { break };
            left.remove(next);
            order.push(next.clone());
        }
        order
    }

    /// Returns the arrows that run against an order.
    pub(crate) fn against(&self, order: &[T]) -> Vec<(&T, &T)> {
        let place = |node: &T| order.iter().position(|other| other == node);
        self.arrows().filter(|(from, to)| from != to && place(from) < place(to)).collect()
    }
}
