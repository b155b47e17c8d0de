//! When a growing live heap reaches a limit.

use super::change::Growth;
use crate::size::Size;
use crate::wording::real;

/// How long until the live heap reaches a limit, in seconds from now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// At the estimated growth.
    pub seconds: f64,
    /// At the high end of the growth's interval.
    pub soonest: f64,
    /// At the low end. `None` where that is not above zero: then only "not before [`soonest`](Self::soonest)" is known.
    pub latest: Option<f64>,
    /// How long until the heap goal reaches the limit, at the estimated growth: from there on the collector cannot wait
    /// for the goal that GOGC gives, and runs ever more often. `None` where the goal is not GOGC's, or is there already.
    pub goal: Option<f64>,
}

/// A heap goal above this share of the limit is the limit's own doing, and none that GOGC gives: where GOMEMLIMIT holds
/// it down, the goal is the limit less what is not heap (`mgcpacer.go`, `memoryLimitHeapGoal`).
const GOAL_OF_THE_LIMIT: f64 = 0.9;

/// When the live heap, now `live`, reaches `limit`. `None` where it does not grow. A limit that is reached already
/// takes zero seconds. The heap goal is `goal_factor` times the live heap: 2 with GOGC=100.
pub fn forecast(
    growth: &Growth,
    live: Size,
    limit: Size,
    goal_factor: Option<f64>,
) -> Option<Forecast> {
    let room = real(limit.bytes().saturating_sub(live.bytes()));
    let until = |rate: f64| (rate > 0.0).then(|| room / rate);
    let seconds = until(growth.bytes_per_second)?;
    let (live, limit) = (real(live.bytes()), real(limit.bytes()));
    let is_of_gogc = |factor: &f64| factor * live < GOAL_OF_THE_LIMIT * limit;
    let until_goal = |factor: f64| (limit / factor - live).max(0.0) / growth.bytes_per_second;
    Some(Forecast {
        seconds,
        soonest: until(growth.high).unwrap_or(seconds),
        latest: until(growth.low),
        goal: goal_factor.filter(is_of_gogc).map(until_goal),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn growth(low: f64, bytes_per_second: f64, high: f64) -> Growth {
        Growth {
            bytes_per_second,
            low,
            high,
            bytes_per_cycle: 1.0,
        }
    }

    fn of(growth: &Growth, live: u64, limit: u64) -> Option<Forecast> {
        forecast(
            growth,
            Size::from_bytes(live),
            Size::from_bytes(limit),
            None,
        )
    }

    #[test]
    fn the_interval_of_the_growth_is_the_interval_of_the_time() {
        let expected = Forecast {
            seconds: 50.0,
            soonest: 25.0,
            latest: Some(100.0),
            goal: None,
        };
        assert_eq!(of(&growth(1.0, 2.0, 4.0), 100, 200), Some(expected));
    }

    #[test]
    fn the_heap_goal_is_at_the_limit_first() {
        let goal = |live: u64, factor| {
            let (live, limit) = (Size::from_bytes(live), Size::from_bytes(400));
            let forecast = forecast(&growth(1.0, 2.0, 4.0), live, limit, Some(factor));
            forecast.expect("it grows").goal
        };
        assert_eq!(goal(100, 2.0), Some(50.0), "GOGC=100: at 200");
        assert_eq!(goal(100, 1.25), Some(110.0), "GOGC=25: at 320");
        assert_eq!(goal(190, 2.0), None, "it is there");
        assert_eq!(
            goal(20, 19.0),
            None,
            "GOGC=off with GOMEMLIMIT: it was there all the time"
        );
    }

    #[test]
    fn growth_that_may_be_none_has_no_latest_time() {
        let forecast = of(&growth(-1.0, 2.0, 4.0), 100, 200).expect("it grows");
        assert_eq!(forecast.latest, None);
    }

    #[test]
    fn a_heap_that_does_not_grow_has_no_forecast() {
        assert_eq!(of(&growth(-1.0, 0.0, 1.0), 100, 200), None);
        assert_eq!(of(&growth(-3.0, -2.0, -1.0), 100, 200), None);
    }

    #[test]
    fn a_limit_already_reached_takes_no_time() {
        let forecast = of(&growth(1.0, 2.0, 4.0), 300, 200).expect("it grows");
        assert!(forecast.seconds.abs() < 1e-9);
    }
}
