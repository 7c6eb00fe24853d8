//! Whether enough different people can approve.

use std::collections::BTreeMap;

/// Who may approve for a group, and how many must.
pub(crate) struct Bench<'p> {
    pub(crate) people: Vec<&'p str>,
    pub(crate) count: usize,
}

/// What there is to say about the groups of one environment together.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Quorum<'p> {
    /// The people do not suffice, whoever asks.
    Never,
    /// They suffice, unless one of these asks for the deployment: nobody approves their own.
    Without(Vec<&'p str>),
}

/// Whether these people suffice: so many of each list, nobody for two.
pub fn can_be_filled(benches: &[(Vec<&str>, usize)]) -> bool {
    let mut all = Vec::new();
    for (people, count) in benches {
        all.push(Bench { people: people.clone(), count: *count });
    }
    quorum(&all) != Quorum::Never
}

/// Fills every seat with somebody of its group, nobody on two. Names are compared as the forge does,
/// ignoring case.
pub(crate) fn quorum<'p>(benches: &[Bench<'p>]) -> Quorum<'p> {
    let mut names: BTreeMap<String, (usize, &'p str)> = BTreeMap::new();
    let mut of_bench: Vec<Vec<usize>> = Vec::new();
    for bench in benches {
        let ids = bench.people.iter().map(|name| {
            let next = names.len();
            names.entry(name.to_lowercase()).or_insert((next, name)).0
        });
        of_bench.push(ids.collect());
    }
    let seats = benches.iter().enumerate().flat_map(|(at, it)| std::iter::repeat_n(at, it.count));
    let mut table = Table { of_bench, seats: seats.collect(), taken: vec![None; names.len()] };
    for seat in 0..table.seats.len() {
        if !table.seat(seat, &mut vec![false; names.len()]) {
            return Quorum::Never;
        }
    }
    // Whoever sits can be spared if the seat can be filled without them.
    let spared = |(id, _): &&(usize, &'p str)| {
        let Some(seat) = table.taken[*id] else { return true };
        let mut tried = vec![false; names.len()];
        tried[*id] = true;
        table.clone().seat(seat, &mut tried)
    };
    Quorum::Without(names.values().filter(|it| !spared(it)).map(|(_, name)| *name).collect())
}

#[derive(Clone)]
struct Table {
    /// Who may sit where.
    of_bench: Vec<Vec<usize>>,
    /// The bench of each seat.
    seats: Vec<usize>,
    /// The seat of each person.
    taken: Vec<Option<usize>>,
}

impl Table {
    /// Finds somebody for a seat, moving others where that helps. As deep as there are seats.
    fn seat(&mut self, seat: usize, tried: &mut [bool]) -> bool {
        for at in 0..self.of_bench[self.seats[seat]].len() {
            let person = self.of_bench[self.seats[seat]][at];
            if std::mem::replace(&mut tried[person], true) {
                continue;
            }
            let free = match self.taken[person] {
                None => true,
                Some(other) => self.seat(other, tried),
            };
            if free {
                self.taken[person] = Some(seat);
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(benches: &[(&[&'static str], usize)]) -> Quorum<'static> {
        let bench = |(people, count): &(&[&'static str], usize)| Bench {
            people: people.to_vec(),
            count: *count,
        };
        quorum(&benches.iter().map(bench).collect::<Vec<_>>())
    }

    #[test]
    fn nobody_counts_twice() {
        assert_eq!(check(&[(&["a"], 1), (&["A"], 1)]), Quorum::Never);
        assert_eq!(check(&[(&["a", "b"], 1), (&["a"], 1)]), Quorum::Without(vec!["a", "b"]));
        assert_eq!(check(&[(&["a", "b", "c"], 1), (&["a", "b", "c"], 1)]), Quorum::Without(vec![]));
        assert_eq!(
            check(&[(&["a", "b", "c"], 2), (&["a"], 1)]),
            Quorum::Without(vec!["a", "b", "c"])
        );
    }

    #[test]
    fn who_asks_does_not_approve() {
        assert_eq!(check(&[(&["a", "b"], 2)]), Quorum::Without(vec!["a", "b"]));
        assert_eq!(check(&[(&["a", "b"], 1)]), Quorum::Without(vec![]));
        assert_eq!(check(&[(&["a"], 2)]), Quorum::Never);
        assert_eq!(check(&[]), Quorum::Without(vec![]));
    }
}
