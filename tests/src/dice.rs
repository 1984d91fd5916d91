//! Random decisions that are the same in each run.

/// Returns the number that follows from these three, with all bits mixed as in `SplitMix64`.
#[must_use]
pub const fn dice(seed: u64, salt: u64, number: u64) -> u64 {
    let mut z = seed ^ salt.wrapping_mul(0xD1B5_4A32_D192_ED03) ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
