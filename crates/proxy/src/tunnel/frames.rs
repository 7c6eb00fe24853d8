//! Where the frames of a WebSocket begin and end (RFC 6455, 5.2).

/// The longest head of a frame: two bytes, eight of length, four of mask.
const HEAD_BYTES_MAX: usize = 14;

/// The opcode of a close frame.
const CLOSE: u8 = 8;

/// Follows one direction of a connection.
#[derive(Debug, Default)]
pub(super) struct Frames {
    head: [u8; HEAD_BYTES_MAX],
    head_bytes: usize,
    payload_left: u64,
    is_closed: bool,
}

impl Frames {
    /// Whether a frame of ours could stand here.
    pub(super) fn at_boundary(&self) -> bool {
        self.head_bytes == 0 && self.payload_left == 0
    }

    /// Whether a close frame went by: after it nothing may come.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Bytes went by.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let step = self.step(bytes);
            bytes = &bytes[step..];
        }
    }

    /// Bytes went by, up to the end of the frame under way; says how many that are.
    pub(super) fn feed_one(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while taken < bytes.len() && !self.at_boundary() {
            taken += self.step(&bytes[taken..]);
        }
        taken
    }

    /// Takes at least one byte of at least one.
    fn step(&mut self, bytes: &[u8]) -> usize {
        if self.payload_left > 0 {
            let taken = usize::try_from(self.payload_left).unwrap_or(usize::MAX).min(bytes.len());
            self.payload_left -= taken as u64;
            return taken;
        }
        self.head[self.head_bytes] = bytes[0];
        self.head_bytes += 1;
        if self.head_bytes >= 2 && self.head_bytes == self.head_length() {
            self.payload_left = self.payload_length();
            self.is_closed |= self.head[0] & 0x0f == CLOSE;
            self.head_bytes = 0;
        }
        1
    }

    fn head_length(&self) -> usize {
        let mask = if self.head[1] & 0x80 != 0 { 4 } else { 0 };
        let length = match self.head[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        2 + length + mask
    }

    fn payload_length(&self) -> u64 {
        match self.head[1] & 0x7f {
            126 => u64::from(u16::from_be_bytes([self.head[2], self.head[3]])),
            127 => {
                let mut length = [0; 8];
                length.copy_from_slice(&self.head[2..10]);
                u64::from_be_bytes(length)
            }
            short => u64::from(short),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], boundaries: &[usize]) {
        let mut frames = Frames::default();
        let mut found = Vec::new();
        for (at, byte) in bytes.iter().enumerate() {
            frames.feed(&[*byte]);
            if frames.at_boundary() {
                found.push(at + 1);
            }
        }
        assert_eq!(found, boundaries);
        let mut whole = Frames::default();
        whole.feed(bytes);
        assert_eq!(whole.at_boundary(), boundaries.last() == Some(&bytes.len()));
    }

    #[test]
    fn frames_end_where_their_length_says() {
        // "Hi", an empty ping, "Hi" masked.
        check(&[0x81, 2, b'H', b'i', 0x89, 0, 0x81, 0x82, 1, 2, 3, 4, 0, 0], &[4, 6, 14]);
        let mut long = vec![0x82, 126, 1, 0];
        long.extend([7; 256]);
        check(&long, &[260]);
        let mut longer = vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0];
        longer.extend(vec![7; 65_536]);
        check(&longer, &[65_546]);
    }

    #[test]
    fn a_close_is_noticed() {
        let mut frames = Frames::default();
        frames.feed(&[0x81, 2, 0x88, 0x88]);
        assert!(!frames.is_closed(), "what looks like one was a payload");
        frames.feed(&[0x88, 2, 3, 0xe8]);
        assert!(frames.is_closed() && frames.at_boundary());
    }

    #[test]
    fn one_frame_is_taken_to_its_end_and_no_further() {
        let mut frames = Frames::default();
        assert_eq!(frames.feed_one(&[0x81, 2]), 0, "it stands at a boundary");
        frames.feed(&[0x81, 2, b'H']);
        assert_eq!(frames.feed_one(&[b'i', 0x81, 2]), 1);
        assert!(frames.at_boundary());
    }
}
