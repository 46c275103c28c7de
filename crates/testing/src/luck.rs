//! Random numbers from a seed.

/// A generator whose numbers follow from its seed alone, the same everywhere: a failure is repeated
/// by its seed.
///
/// ```
/// use lakefeed_testing::Luck;
///
/// let mut luck = Luck::new(17);
/// let drawn = [luck.draw(6), luck.draw(6), luck.draw(6)];
/// assert!(drawn.iter().all(|number| *number < 6));
/// assert_eq!(Luck::new(17).draw(6), drawn[0]);
/// ```
#[derive(Debug, Clone)]
pub struct Luck(u64);

impl Luck {
    /// Begins with `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Draws a number below `sides`, which is at least 1. (A linear congruential generator: Knuth's
    /// MMIX.)
    pub const fn draw(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    /// Draws one of `choices`, of which there is at least one.
    #[expect(clippy::indexing_slicing, reason = "what is drawn is below the length")]
    pub fn pick<'c, T>(&mut self, choices: &'c [T]) -> &'c T {
        &choices[usize::try_from(self.draw(choices.len() as u64)).unwrap_or_default()]
    }
}
