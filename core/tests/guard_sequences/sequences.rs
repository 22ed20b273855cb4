//! Which sequences there are: any, and those of the vectors.

use proptest::prelude::*;
use seawall::{Mode, Ratio};

use super::oracle::{Outcome, STAGES};
use super::{Do, Moves, ONE, Size, TOKEN_NS, lines_of};

pub fn sizes() -> impl Strategy<Value = Size> {
    let judging = (1..5_u32, 1..4_u32, prop::sample::select(vec![None, Some(0), Some(1), Some(2), Some(2), Some(3)]));
    let keyed = prop::option::weighted(0.6, 1..4_u32);
    (prop::sample::select(vec![1, 1, 3]), 1..4_u32, 1..3_u32, 0..4_u32, judging, keyed, any::<u64>()).prop_map(
        |(shards, burst, probes, tokens, (failures, weight, streak), keyed, seed)| Size {
            shards,
            burst,
            probes,
            tokens,
            failures,
            weight,
            streak,
            keyed,
            seed,
        },
    )
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        4 => Just(Outcome::Success),
        4 => Just(Outcome::Failure),
        1 => Just(Outcome::Throttled(None)),
        2 => prop::sample::select(vec![0, 1, TOKEN_NS, 3 * TOKEN_NS, 9 * TOKEN_NS, 1 << 27]).prop_map(|wait| Outcome::Throttled(Some(wait))),
        1 => Just(Outcome::Ignored),
    ]
}

pub fn steps() -> impl Strategy<Value = Do> {
    let near = || prop_oneof![3 => Just(0_usize), 1 => 0..6_usize];
    prop_oneof![
        4 => (any::<u64>(), prop_oneof![3 => Just(0), 1 => 0..7_u32], prop::sample::select(vec![0, 1, 1, 1, 1, 2, 9]), prop::option::weighted(0.2, 0..8 * TOKEN_NS))
            .prop_map(|(key, shard, cost, deadline)| Do::Begin { key, shard, cost, deadline }),
        8 => near().prop_map(|call| Do::Attempt { call }),
        6 => (near(), outcomes()).prop_map(|(permit, outcome)| Do::Finish { permit, outcome }),
        1 => near().prop_map(|permit| Do::Cancel { permit }),
        1 => near().prop_map(|call| Do::Abandon { call }),
    ]
}

pub fn modes() -> impl Strategy<Value = Mode> {
    prop_oneof![
        1 => Just(Mode::Enforce),
        2 => Just(Mode::Shadow),
        2 => (1..1_000_000_u32).prop_map(|ppm| Mode::Canary(Ratio::from_ppm(ppm).expect("a ratio"))),
        1 => Just(Mode::Off),
    ]
}

/// Steps among which the modes change.
pub fn steps_with_modes() -> impl Strategy<Value = Do> {
    prop_oneof![
        1 => (0..STAGES.len(), modes()).prop_map(|(stage, mode)| Do::SetMode { stage, mode }),
        12 => steps(),
    ]
}

pub fn moves() -> impl Strategy<Value = Moves> {
    let ahead = prop_oneof![
        4 => Just(0),
        // To the nanosecond a time-out.
        1 => Just(1 << 22),
        4 => 0..TOKEN_NS,
        4 => 0..8 * TOKEN_NS,
        1 => 0..64 * TOKEN_NS,
    ];
    let behind = prop_oneof![12 => Just(0), 2 => 0..2 * TOKEN_NS, 1 => Just(3_000_000_000)];
    (ahead, behind, prop::bool::weighted(0.01))
        .prop_map(|(ahead, behind, far)| Moves { ahead: if far { 4_000_000_000 } else { ahead }, behind })
}

/// Sequences by numbers of no use but to differ (Knuth's constants).
pub fn vectors() -> Vec<String> {
    let mut state = 1_u64;
    let mut below = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let mut lines = vec![];
    let judging = |weight, failures| Size { weight, failures, streak: Some(2), ..ONE };
    for (size, has_modes) in [
        (ONE, false),
        (Size { burst: 2, tokens: 2, ..ONE }, false),
        (Size { burst: 3, probes: 2, ..ONE }, false),
        (Size { burst: 3, probes: 2, tokens: 3, ..judging(2, 4) }, false),
        (ONE, true),
        (Size { burst: 2, probes: 2, tokens: 2, ..judging(2, 3) }, true),
        (Size { shards: 3, ..ONE }, true),
        (Size { shards: 3, burst: 3, tokens: 3, ..judging(3, 4) }, true),
        (Size { burst: 3, tokens: 3, keyed: Some(2), ..ONE }, false),
        (Size { burst: 3, tokens: 3, keyed: Some(1), ..judging(2, 4) }, false),
        (Size { burst: 3, tokens: 3, keyed: Some(2), ..judging(2, 4) }, true),
        (Size { shards: 3, burst: 3, tokens: 3, keyed: Some(1), ..judging(2, 4) }, true),
    ] {
        let mut steps = vec![];
        for _ in 0..120 {
            let ahead = [0, 1, TOKEN_NS / 3, TOKEN_NS, 5 * TOKEN_NS][below(5) as usize];
            let moves = Moves { ahead, behind: if below(9) == 0 { TOKEN_NS } else { 0 } };
            let near = if below(4) == 0 { below(6) as usize } else { 0 };
            if has_modes && below(8) == 0 {
                let share = Ratio::from_ppm(below(1_000_000) as u32).expect("a ratio");
                let mode = [Mode::Enforce, Mode::Shadow, Mode::Canary(share), Mode::Off][below(4) as usize];
                steps.push((
                    moves,
                    Do::SetMode { stage: below(if size.keyed.is_some() { 6 } else { 5 }) as usize, mode },
                ));
                continue;
            }
            let step = match below(20) {
                0..5 => Do::Begin {
                    key: if has_modes || size.keyed.is_some() { below(1 << 31) } else { 0 },
                    shard: if has_modes { below(5) as u32 } else { 0 },
                    cost: [1, 1, 1, 3, 0][below(5) as usize],
                    deadline: (below(5) == 0).then_some(6 * TOKEN_NS),
                },
                5..12 => Do::Attempt { call: near },
                12..18 => {
                    let wait = [None, Some(2 * TOKEN_NS), Some(1 << 27)][below(3) as usize];
                    let outcome = [
                        Outcome::Success,
                        Outcome::Success,
                        Outcome::Success,
                        Outcome::Failure,
                        Outcome::Failure,
                        Outcome::Failure,
                        Outcome::Throttled(wait),
                        Outcome::Ignored,
                    ][below(8) as usize];
                    Do::Finish { permit: near, outcome }
                }
                18 => Do::Cancel { permit: near },
                _ => Do::Abandon { call: near },
            };
            steps.push((moves, step));
        }
        lines.extend(lines_of(Size { seed: below(1 << 31), ..size }, &steps));
    }
    lines
}
