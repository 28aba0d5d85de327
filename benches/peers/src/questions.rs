//! Repositories and tags of a registry, and questions about them in an order that no cache foresees.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// How the questions are spread.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Spread {
    Uniform,
    /// The tag of rank r is asked for in proportion to 1/r.
    Zipf,
}

/// What is asked for.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Hit,
    NoSuchTag,
    NoSuchRepository,
}

/// How many tags each repository has: few have many.
pub(crate) fn sizes(repositories: usize, tags: usize) -> Vec<usize> {
    let weight = |rank: usize| 1.0 / (rank as f64 + 20.0).powf(0.7);
    let all: f64 = (0..repositories).map(weight).sum();
    let mut left = tags;
    let mut sizes: Vec<usize> = (0..repositories)
        .map(|rank| {
            let size = ((tags as f64 * weight(rank) / all) as usize).clamp(1, 18_000).min(left.max(1));
            left = left.saturating_sub(size);
            size
        })
        .collect();
    let mut rank = 0;
    while left > 0 {
        let more = left.min(50);
        sizes[rank % repositories] += more;
        left -= more;
        rank += 1;
    }
    sizes
}

pub(crate) fn repository(number: usize) -> String {
    const TEAMS: [&str; 6] =
        ["library", "platform", "data-engineering", "web", "machine-learning/serving", "ops"];
    format!("registry.example.com/{}/app-{number}", TEAMS[number % TEAMS.len()])
}

/// As long as those of the official images: one in sixteen is longer than 25 bytes.
pub(crate) fn tag(number: usize) -> String {
    let (major, minor) = (number / 400, number / 20 % 20);
    match number % 20 {
        0 => format!("{number}"),
        1 => format!("{major}.{minor}.{number}-windowsservercore-1809"),
        2..=5 => format!("{major}.{minor}-alpine3.{number}"),
        6..=9 => format!("{major}.{minor}.{number}-slim-bookworm"),
        _ => format!("{major}.{minor}.{number}"),
    }
}

/// Questions one after the other in memory, so that asking costs no miss of its own.
pub(crate) struct Questions {
    text: String,
    /// Where each begins, and how long its repository and its tag are.
    each: Vec<(u32, u8, u8)>,
}

impl Questions {
    pub(crate) fn new(sizes: &[usize], count: usize, spread: Spread, kind: Kind) -> Self {
        let mut random = StdRng::seed_from_u64(7);
        let all: usize = sizes.iter().sum();
        let mut ends = Vec::with_capacity(sizes.len());
        let mut end = 0;
        for size in sizes {
            end += size;
            ends.push(end);
        }
        // Ranks are scattered over the tags.
        let scatter = |rank: usize| ((rank as u128 * 0x9e37_79b9_7f4a_7c15) % all as u128) as usize;
        let mut questions = Self { text: String::new(), each: Vec::with_capacity(count) };
        for _ in 0..count {
            let at = match spread {
                Spread::Uniform => random.random_range(0..all),
                // The inverse of the distribution's integral.
                Spread::Zipf => scatter(((all as f64).powf(random.random::<f64>()) as usize).min(all - 1)),
            };
            let repository = ends.partition_point(|end| *end <= at);
            let number = at - (ends[repository] - sizes[repository]);
            let (mut name, mut tag) = (self::repository(repository), tag(number));
            match kind {
                Kind::Hit => {}
                Kind::NoSuchTag => tag += "x",
                Kind::NoSuchRepository => name += "x",
            }
            let start = u32::try_from(questions.text.len()).expect("questions fit 4 GiB");
            questions.text += &name;
            // As one would write a key by hand.
            questions.text += "\0";
            questions.text += &tag;
            questions.each.push((start, name.len() as u8, tag.len() as u8));
        }
        questions
    }

    /// Repository, tag, and both with a NUL between.
    #[inline]
    pub(crate) fn get(&self, at: usize) -> (&str, &str, &str) {
        let (start, repository, tag) = self.each[at % self.each.len()];
        let (start, repository, tag) = (start as usize, repository as usize, tag as usize);
        let key = &self.text[start..start + repository + 1 + tag];
        (&key[..repository], &key[repository + 1..], key)
    }
}
