//! Results on demand: what a server answers to submissions instead of the truth, and what a ledger is
//! made to hold of a payment. For drills of every result code.
//!
//! Both are chosen by the payment's destination tag, so that one ledger can show many codes at once.

use super::{FaultError, Parameters};
use crate::ledger::codes::Ter;
use std::collections::BTreeMap;
use xrpayd_core::ledger::codes::{self, Class};

/// What a server answers to a submission, whatever became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FalseAnswer {
    pub(crate) result: &'static str,
    /// Whether the server does what it is asked to all the same.
    pub(crate) taken: bool,
}

/// False answers by destination tag; without a tag, for everything else.
pub(crate) type Answers = BTreeMap<Option<u32>, FalseAnswer>;

/// Results that payments with these destination tags are validated with, each once.
pub(crate) type Forced = BTreeMap<u32, Ter>;

impl FalseAnswer {
    /// The number and the words of the result; a code that the model's version does not have yet bears
    /// the first number of its class.
    pub(crate) fn shown(&self) -> (i16, &'static str) {
        if let Some(known) = Ter::from_name(self.result) {
            return (known.number(), known.message());
        }
        let number = match Class::of(self.result) {
            Class::Tel | Class::Unknown => -399,
            Class::Tem => -299,
            Class::Tef => -199,
            Class::Ter => -99,
            Class::Tes => 0,
            Class::Tec => 100,
        };
        (number, "A result of a newer version.")
    }
}

/// A result by name that servers are known to print.
pub(super) fn known(request: &Parameters<'_>) -> Result<&'static str, FaultError> {
    let bad = FaultError::BadParameter("result");
    let name = request.text("result")?.ok_or(bad.clone())?;
    codes::find(&name).map(|code| code.name).ok_or(bad)
}

/// Changes the false answers as a request says.
pub(super) fn answer(answers: &mut Answers, request: &Parameters<'_>) -> Result<(), FaultError> {
    request.only(&["on", "destination_tag", "result", "taken"])?;
    let tag = match request.has("destination_tag") {
        true => Some(request.index("destination_tag")?),
        false => None,
    };
    if !request.flag("on", true)? {
        answers.remove(&tag);
        return Ok(());
    }
    let result = known(request)?;
    let taken = request.flag("taken", true)?;
    answers.insert(tag, FalseAnswer { result, taken });
    Ok(())
}

/// Changes what payments are validated with as a request says: a `tec`, which takes the fee and delivers
/// nothing.
pub(super) fn force(forced: &mut Forced, request: &Parameters<'_>) -> Result<(), FaultError> {
    request.only(&["on", "destination_tag", "result"])?;
    let tag = request.index("destination_tag")?;
    if !request.flag("on", true)? {
        forced.remove(&tag);
        return Ok(());
    }
    let code = Ter::from_name(known(request)?).filter(|code| code.is_tec());
    forced.insert(tag, code.ok_or(FaultError::BadParameter("result"))?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::faults::{Faults, inflict};
    use serde_json::json;

    #[test]
    fn answers_are_kept_by_tag_and_end_one_by_one() {
        let mut faults = Faults::default();
        let kind = "answer_submit";
        for request in [
            json!({ "kind": kind, "result": "telINSUF_FEE_P" }),
            json!({ "kind": kind, "result": "temBAD_MPT", "destination_tag": 5, "taken": false }),
        ] {
            inflict(&mut faults, &request, 5).unwrap();
        }
        let told = |faults: &Faults, tag| faults.answer(tag).map(|answer| answer.result);
        assert_eq!(told(&faults, Some(5)), Some("temBAD_MPT"));
        assert_eq!(told(&faults, Some(6)), Some("telINSUF_FEE_P"));
        assert_eq!(faults.answer(Some(5)).unwrap().shown().0, -299);
        let end = json!({ "kind": kind, "destination_tag": 5, "on": false });
        inflict(&mut faults, &end, 5).unwrap();
        assert_eq!(told(&faults, Some(5)), Some("telINSUF_FEE_P"));
        let unknown = json!({ "kind": kind, "result": "telNO_SUCH_CODE" });
        assert!(inflict(&mut faults, &unknown, 5).is_err());
    }
}
