//! Schedules of CronJobs: five fields, a macro, or `@every DURATION`. Source: `ParseStandard` of
//! robfig/cron 3, and `validateScheduleFormat` in `pkg/apis/batch/validation`.

use coracle_core::path::escape_bytes;

/// Macros that Kubernetes accepts as a schedule.
const MACROS: [&str; 7] = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// A field of a schedule.
struct CronField {
    title: &'static str,
    min: u32,
    max: u32,
    /// Names of the values, from `min` on.
    names: &'static [&'static str],
}

const FIELDS: [CronField; 5] = [
    CronField { title: "minute", min: 0, max: 59, names: &[] },
    CronField { title: "hour", min: 0, max: 23, names: &[] },
    CronField { title: "day of the month", min: 1, max: 31, names: &[] },
    CronField { title: "month", min: 1, max: 12, names: &MONTHS },
    CronField { title: "day of the week", min: 0, max: 6, names: &DAYS },
];

/// Units of a duration, longest first.
const UNITS: [&str; 8] = ["ns", "us", "µs", "μs", "ms", "s", "m", "h"];

/// Checks the schedule of a CronJob.
///
/// # Errors
/// Returns every reason if it is invalid.
pub fn validate_schedule(text: &str) -> Result<(), String> {
    if text.contains("TZ") {
        return Err("a time zone belongs in `timeZone` of the CronJob".into());
    }
    if let Some(duration) = text.strip_prefix("@every ") {
        return match is_duration(duration) {
            true => Ok(()),
            false => {
                Err(format!("`{}` is not a duration such as `1h30m`", escape_bytes(duration.as_bytes())))
            }
        };
    }
    if text.starts_with('@') {
        return match MACROS.contains(&text) {
            true => Ok(()),
            false => Err("there is no such macro".into()),
        };
    }
    let fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Err(format!("it has {} fields instead of five", fields.len()));
    }
    let problems: Vec<String> =
        fields.iter().zip(&FIELDS).filter_map(|(text, field)| field.problem(text)).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
}

impl CronField {
    /// Returns why `text` is not a list of values and ranges of this field.
    fn problem(&self, text: &str) -> Option<String> {
        let ranges = text.split(',').filter(|range| !range.is_empty());
        ranges.into_iter().find_map(|range| {
            let why = self.range_problem(range)?;
            Some(format!("the {} `{}` {why}", self.title, escape_bytes(range.as_bytes())))
        })
    }

    fn range_problem(&self, range: &str) -> Option<String> {
        let (values, step) =
            range.split_once('/').map_or((range, None), |(values, step)| (values, Some(step)));
        if let Some(step) = step
            && parse_number(step).is_none_or(|step| step == 0)
        {
            return Some("has a step that is not a positive number".into());
        }
        if values == "*" || values == "?" {
            return None;
        }
        let (first, last) = values.split_once('-').unwrap_or((values, values));
        let bounds = (self.value(first), self.value(last));
        let (Some(first), Some(last)) = bounds else {
            return Some("is not a number, a name, a range or `*`".into());
        };
        if first < self.min || last > self.max {
            return Some(format!("is not within {} and {}", self.min, self.max));
        }
        (first > last).then(|| "ends before it starts".into())
    }

    fn value(&self, text: &str) -> Option<u32> {
        let names = (self.min..).zip(self.names);
        let named = names.into_iter().find(|(_, name)| name.eq_ignore_ascii_case(text));
        named.map(|(value, _)| value).or_else(|| parse_number(text))
    }
}

fn parse_number(text: &str) -> Option<u32> {
    text.parse().ok()
}

/// Returns whether `text` is a duration of Go: numbers with units.
fn is_duration(text: &str) -> bool {
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    if rest == "0" {
        return true;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(end);
        let has_digits = number.bytes().any(|byte| byte.is_ascii_digit()) && number.matches('.').count() <= 1;
        let unit = UNITS.iter().find_map(|unit| after.strip_prefix(unit));
        // `m` is also the start of `ms`, which comes first in the list.
        let Some(after) = unit.filter(|_| has_digits) else { return false };
        rest = after;
    }
    !text.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_the_api_server_accepts() {
        for text in [
            "0 3 * * *",
            "*/5 0-3 * * MON",
            "0,30 8-18/2 1,15 jan-Dec sun",
            "59 23 31 12 6",
            "5/10 ? * * ?",
            "  0\t3 * * * ",
            "@daily",
            "@every 1h30m",
            "@every 1m",
            "@every 1.5h",
            "@every 90s",
            "@every 500ms",
        ] {
            assert_eq!(validate_schedule(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn names_the_field_that_is_out_of_range() {
        for (text, expected) in [
            (
                "60 25 32 13 8",
                "the minute `60` is not within 0 and 59; the hour `25` is not within 0 and 23; \
                 the day of the month `32` is not within 1 and 31; the month `13` is not within 1 and 12; \
                 the day of the week `8` is not within 0 and 6",
            ),
            ("0 0 0 * *", "the day of the month `0` is not within 1 and 31"),
            ("0 0 * * 7", "the day of the week `7` is not within 0 and 6"),
            ("*/0 * * * *", "the minute `*/0` has a step that is not a positive number"),
            ("30-10 * * * *", "the minute `30-10` ends before it starts"),
            ("1,x * * * *", "the minute `x` is not a number, a name, a range or `*`"),
            ("mon * * * *", "the minute `mon` is not a number, a name, a range or `*`"),
            ("0 0 L * *", "the day of the month `L` is not a number, a name, a range or `*`"),
            ("0 3 * *", "it has 4 fields instead of five"),
            ("@often", "there is no such macro"),
            ("@every day", "`day` is not a duration such as `1h30m`"),
            ("@every ", "`` is not a duration such as `1h30m`"),
            ("TZ=UTC 0 3 * * *", "a time zone belongs in `timeZone` of the CronJob"),
        ] {
            assert_eq!(validate_schedule(text), Err(expected.to_owned()), "{text}");
        }
    }
}
