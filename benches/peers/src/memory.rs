//! What the memory itself takes: cache lines of a table as large as the engine's, in random order.

use std::hint::black_box;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u32; 16]);

pub(crate) struct Memory(Vec<Line>);

impl Memory {
    /// Each line names the next, in one ring through all of them.
    pub(crate) fn new(lines: usize) -> Self {
        let mut order: Vec<u32> = (0..lines as u32).collect();
        order.shuffle(&mut StdRng::seed_from_u64(3));
        let mut table = vec![Line([0; 16]); lines];
        for pair in order.windows(2) {
            table[pair[0] as usize].0[0] = pair[1];
        }
        table[order[lines - 1] as usize].0[0] = order[0];
        Self(table)
    }

    /// Each access waits for the one before.
    pub(crate) fn dependent(&self, accesses: usize) {
        let mut at = 0;
        for _ in 0..accesses {
            at = self.0[at as usize].0[0];
        }
        black_box(at);
    }

    /// Independent of each other: as many at a time as the processor can wait for.
    pub(crate) fn independent(&self, accesses: usize) {
        let (mut state, mut sum) = (1_u64, 0_u32);
        for _ in 0..accesses {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = ((state >> 32) * self.0.len() as u64) >> 32;
            sum ^= self.0[at as usize].0[0];
        }
        black_box(sum);
    }
}

/// Resident bytes of this process that no file backs.
pub(crate) fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}
