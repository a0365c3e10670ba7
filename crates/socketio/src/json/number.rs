//! Numbers as JavaScript writes them.

/// The text that JavaScript makes of a JSON number when it is used as a name (ECMA-262, *Number::toString*).
pub(crate) fn in_javascript(raw: &str) -> Option<String> {
    let value: f64 = raw.parse().ok()?;
    if value == 0.0 {
        return Some("0".to_owned());
    }
    let sign = if value < 0.0 { "-" } else { "" };
    if value.is_infinite() {
        return Some(format!("{sign}Infinity"));
    }
    // The shortest digits that mean this number, as JavaScript wants them: `d.ddde±x`.
    let scientific = format!("{:e}", value.abs());
    let (mantissa, exponent) = scientific.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    let digits: String = mantissa.chars().filter(|character| *character != '.').collect();
    let (count, point) = (i32::try_from(digits.len()).ok()?, exponent + 1);
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or_default());
    let text = if count <= point && point <= 21 {
        format!("{digits}{}", zeros(point - count))
    } else if 0 < point && point <= 21 {
        let (whole, fraction) = digits.split_at(usize::try_from(point).ok()?);
        format!("{whole}.{fraction}")
    } else if -6 < point && point <= 0 {
        format!("0.{}{digits}", zeros(-point))
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{mantissa}e{sign}{}", exponent.abs())
    };
    Some(format!("{sign}{text}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What `String(JSON.parse(raw))` gives.
    #[test]
    fn as_javascript_writes_them() {
        for (raw, expected) in [
            ("0", "0"),
            ("-0", "0"),
            ("0.0", "0"),
            ("1.5", "1.5"),
            ("-1.50", "-1.5"),
            ("1e3", "1000"),
            ("1E+2", "100"),
            ("123456789012345678", "123456789012345680"),
            ("1e20", "100000000000000000000"),
            ("1e21", "1e+21"),
            ("-1.25e22", "-1.25e+22"),
            ("0.000001", "0.000001"),
            ("0.00000123", "0.00000123"),
            ("1e-7", "1e-7"),
            ("1.5e-10", "1.5e-10"),
            ("1e400", "Infinity"),
            ("-1e400", "-Infinity"),
            ("1e-400", "0"),
            ("5e-324", "5e-324"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"),
            ("0.1", "0.1"),
            ("12345.678", "12345.678"),
        ] {
            assert_eq!(in_javascript(raw).as_deref(), Some(expected), "{raw}");
        }
        assert_eq!(in_javascript("true"), None);
    }

    proptest! {
        #[test]
        fn they_stay_the_same_number(value in prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL) {
            let text = in_javascript(&format!("{value:e}")).expect("a number");
            prop_assert_eq!(text.parse::<f64>(), Ok(value));
        }
    }
}
