//! ARNs and ids. Ids look like AWS's and come from a counter: the same history gives the same ids.

/// Which account and where.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) account: String,
    pub(crate) region: String,
    serial: u64,
}

impl Names {
    pub(crate) fn new(account: &str, region: &str) -> Names {
        Names { account: account.to_owned(), region: region.to_owned(), serial: 0 }
    }

    pub(crate) fn arn(&self, resource: &str) -> String {
        format!("arn:aws:ecs:{}:{}:{resource}", self.region, self.account)
    }

    fn next(&mut self) -> u64 {
        self.serial += 1;
        mix(self.serial)
    }

    /// 32 letters of hex: a task.
    pub(crate) fn hex(&mut self) -> String {
        format!("{:016x}{:016x}", self.next(), self.next())
    }

    /// 19 digits: a deployment, a revision.
    pub(crate) fn digits(&mut self) -> String {
        const NINETEEN: u64 = 10_000_000_000_000_000_000;
        format!("{:019}", self.next() % NINETEEN)
    }

    /// 21 letters: a service deployment.
    pub(crate) fn letters(&mut self) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
        let bits = [self.next(), self.next()];
        let letter = |at: usize| {
            let index = (bits[at / 11] >> (at % 11 * 6 % 58)) & 63;
            char::from(LETTERS[usize::try_from(index).expect("six bits")])
        };
        (0..21).map(letter).collect()
    }

    /// A UUID: a request, an event.
    pub(crate) fn uuid(&mut self) -> String {
        let hex = self.hex();
        format!(
            "{}-{}-4{}-a{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[13..16],
            &hex[17..20],
            &hex[20..32]
        )
    }
}

/// Splitmix64: neighbours look unrelated.
fn mix(seed: u64) -> u64 {
    let mut it = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    it ^ (it >> 31)
}

/// What stands behind the last `/` of an ARN, or the name itself.
pub(crate) fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}
