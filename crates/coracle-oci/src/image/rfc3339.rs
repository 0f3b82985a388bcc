//! Formats seconds since 1970 as the specification requires: RFC 3339, UTC.

use super::ImageError;

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

/// The number of days in 400 years, after which the calendar repeats.
const DAYS_PER_ERA: u64 = 400 * 365 + 97;

/// The number of days from 1 March of the year 0 to 1 January 1970. A year that begins in March has
/// its leap day at the end.
const DAYS_FROM_MARCH_0: u64 = 719_468;

/// Formats `epoch` as `1970-01-01T00:00:00Z`.
pub(super) fn format_rfc3339(epoch: u64) -> Result<String, ImageError> {
    let (days, second) = (epoch / SECONDS_PER_DAY + DAYS_FROM_MARCH_0, epoch % SECONDS_PER_DAY);
    let (era, day) = (days / DAYS_PER_ERA, days % DAYS_PER_ERA);
    // Leap days before this day: one in 4 years, none in 100; that of 400 years is the era's last.
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (year * 365 + year / 4 - year / 100);
    // From March on, five months have 153 days, in the same pattern.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    let year = era * 400 + year;
    if year > 9999 {
        return Err(ImageError::EpochOutOfRange(epoch));
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    Ok(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values are those of `date -u -d @SECONDS +%FT%TZ`.
    #[test]
    fn formats_known_times() {
        for (epoch, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (68_169_599, "1972-02-28T23:59:59Z"),
            (68_169_600, "1972-02-29T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_700_000_000, "2023-11-14T22:13:20Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(format_rfc3339(epoch).unwrap(), text);
        }
        for epoch in [253_402_300_800, u64::MAX] {
            assert!(matches!(format_rfc3339(epoch), Err(ImageError::EpochOutOfRange(_))));
        }
    }

    #[test]
    fn days_are_consecutive() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..200_000 {
            let text = format_rfc3339(days * SECONDS_PER_DAY).unwrap();
            assert_eq!(text, format!("{year:04}-{month:02}-{day:02}T00:00:00Z"));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 => 28 + u32::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > length {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }
}
