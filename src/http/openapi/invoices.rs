//! The routes of invoices and of deposits: money that is asked for, and money that came.

use super::operation::Gathered;
use super::payments::{ABOUT_ONE, NOT_ACCEPTED, plain};
use crate::deposits::issue::InvoiceRequest;
use crate::http::auth::Scope;
use crate::http::dto::PaymentDto;
use crate::http::invoices::InvoiceDto;
use crate::http::problem::Code;
use crate::payments::accept::payback::{AssignRequest, RefundRequest, ReturnRequest};
use crate::rfc3339::Rfc3339;
use crate::shape::scalar;
use crate::store::DepositForm;
use serde_json::json;

const INVOICES: &str = "invoices";
const DEPOSITS: &str = "deposits";
const INVOICE: &str = "The invoice's id.";
const DEPOSIT: &str = "The deposit's id.";

pub(super) fn describe(gathered: &mut Gathered) {
    issue(gathered);
    look_at_invoices(gathered);
    refund(gathered);
    look_at_deposits(gathered);
    see_to(gathered);
}

fn issue(gathered: &mut Gathered) {
    gathered
        .route(
            ("post", "/v1/invoices"),
            (INVOICES, "createInvoice"),
            "Ask for money",
        )
        .says("The invoice has a destination tag of its own, by which payments to it are known.")
        .needs(Scope::InvoicesWrite)
        .may_be_idempotent()
        .takes::<InvoiceRequest>(json!({
            "amount": { "currency": "XRP", "value": "12.5" },
            "reference": "order 7",
            "expires_in": 3600,
            "tolerance_bps": 0,
        }))
        .answers::<InvoiceDto>(201, "The invoice was issued.")
        .leads_to(
            201,
            &[
                "getInvoice",
                "getInvoiceQr",
                "cancelInvoice",
                "refundInvoice",
            ],
            &[("id", "/id")],
        )
        .answers::<InvoiceDto>(200, "It had been issued before under this key.")
        .refuses(&[
            Code::MissingField,
            Code::ValidationFailed,
            Code::CurrencyNotEnabled,
            Code::TagsExhausted,
            Code::Paused,
            Code::ShuttingDown,
            Code::Conflict,
        ])
        .done();
    gathered
        .route(
            ("post", "/v1/invoices/{id}/cancel"),
            (INVOICES, "cancelInvoice"),
            "Call an invoice off",
        )
        .says("What it had received stays its own. What comes afterwards belongs to nobody.")
        .needs(Scope::InvoicesWrite)
        .part::<scalar::InvoiceId>("id", INVOICE)
        .no_body()
        .answers::<InvoiceDto>(200, "The invoice, which is cancelled.")
        .refuses(&[Code::InvoiceNotFound, Code::AlreadyFinal, Code::Conflict])
        .done();
}

fn look_at_invoices(gathered: &mut Gathered) {
    let cursor = gathered.schemas.of::<scalar::InvoiceId>();
    gathered
        .route(
            ("get", "/v1/invoices"),
            (INVOICES, "listInvoices"),
            "List invoices",
        )
        .says("Newest first. Without `admin` a key sees those of its client.")
        .needs(Scope::InvoicesRead)
        .pages(cursor)
        .asks::<scalar::InvoiceStatus>("status", "Only those that stand so.")
        .query("reference", plain(), "Only those with this reference.")
        .asks::<Rfc3339>(
            "created_after",
            "Only those that were issued then or later.",
        )
        .asks::<Rfc3339>("created_before", "Only those that were issued earlier.")
        .lists::<InvoiceDto>("A page of invoices.")
        .done();
    gathered
        .route(
            ("get", "/v1/invoices/{id}"),
            (INVOICES, "getInvoice"),
            "Look at an invoice",
        )
        .needs(Scope::InvoicesRead)
        .part::<scalar::InvoiceId>("id", INVOICE)
        .answers::<InvoiceDto>(200, "The invoice.")
        .refuses(&[Code::InvoiceNotFound])
        .done();
    gathered
        .route(
            ("get", "/v1/invoices/{id}/qr.svg"),
            (INVOICES, "getInvoiceQr"),
            "An invoice's link as a picture",
        )
        .says("For a payer's camera. It asks for what is still due, and changes with it.")
        .needs(Scope::InvoicesRead)
        .part::<scalar::InvoiceId>("id", INVOICE)
        .header(json!({
            "name": "If-None-Match", "in": "header", "required": false,
            "description": "The `ETag` of the picture that is known.",
            "schema": { "type": "string" },
        }))
        .answers_as(
            200,
            "The picture.",
            "image/svg+xml",
            json!({ "type": "string" }),
        )
        .answers_nothing(304, "The picture is the one that is known.")
        .refuses(&[Code::InvoiceNotFound, Code::AlreadyFinal])
        .done();
}

fn refund(gathered: &mut Gathered) {
    gathered
        .route(
            ("post", "/v1/invoices/{id}/refunds"),
            (INVOICES, "refundInvoice"),
            "Give back what an invoice received",
        )
        .says(
            "All of what is left, or a part, to whoever paid it; to another destination with a key that \
             has `payments:write` too. The answer is a payment like every other.",
        )
        .needs(Scope::InvoicesWrite)
        .part::<scalar::InvoiceId>("id", INVOICE)
        .may_be_idempotent()
        .may_take::<RefundRequest>(json!({
            "amount": { "currency": "XRP", "value": "2.5" },
            "reason": "sent back",
        }))
        .answers::<PaymentDto<'static>>(201, "The payment that gives it back was accepted.")
        .leads_to(201, &ABOUT_ONE, &[("id", "/id")])
        .answers::<PaymentDto<'static>>(200, "It had been accepted before under this key.")
        .refuses(&NOT_ACCEPTED)
        .refuses(&[
            Code::InvoiceNotFound,
            Code::RefundAboveReceived,
            Code::DepositIdRequired,
            Code::NotReturnable,
            Code::TooManyPaybacks,
            Code::NotKnownYet,
            Code::DepositNotFound,
            Code::IsMatched,
            Code::AlreadyReturned,
            Code::PaymentNotFound,
        ])
        .done();
}

fn look_at_deposits(gathered: &mut Gathered) {
    let cursor = gathered.schemas.of::<scalar::DepositId>();
    let tag = json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX });
    gathered
        .route(
            ("get", "/v1/deposits"),
            (DEPOSITS, "listDeposits"),
            "List deposits",
        )
        .says("Newest first. Without `admin` a key sees those of its client, and those of nobody.")
        .needs(Scope::InvoicesRead)
        .pages(cursor)
        .query(
            "matched",
            json!({ "type": "boolean" }),
            "`true`: an invoice took it; `false`: none did, and it is not internal.",
        )
        .query("wallet", plain(), "Only those to this wallet.")
        .asks::<scalar::InvoiceId>("invoice_id", "Only those of this invoice.")
        .asks::<scalar::Address>("from", "Only those from this account.")
        .asks::<scalar::Hash256>("tx_hash", "Only those of this transaction.")
        .query("destination_tag", tag, "Only those to this tag.")
        .asks::<Rfc3339>(
            "created_after",
            "Only those that were booked then or later.",
        )
        .asks::<Rfc3339>("created_before", "Only those that were booked earlier.")
        .lists::<DepositForm<'static>>("A page of deposits.")
        .leads_to(
            200,
            &["getDeposit", "assignDeposit", "returnDeposit"],
            &[("id", "/data/0/id")],
        )
        .done();
    gathered
        .route(
            ("get", "/v1/deposits/{id}"),
            (DEPOSITS, "getDeposit"),
            "Look at a deposit",
        )
        .needs(Scope::InvoicesRead)
        .part::<scalar::DepositId>("id", DEPOSIT)
        .answers::<DepositForm<'static>>(200, "The deposit.")
        .refuses(&[Code::DepositNotFound])
        .done();
}

fn see_to(gathered: &mut Gathered) {
    gathered
        .route(
            ("post", "/v1/deposits/{id}/assign"),
            (DEPOSITS, "assignDeposit"),
            "Give a deposit to an invoice",
        )
        .says("The invoice takes it as if its tag had named it.")
        .needs(Scope::InvoicesWrite)
        .part::<scalar::DepositId>("id", DEPOSIT)
        .takes::<AssignRequest>(json!({
            "invoice_id": "inv_01m7yvsente46vb6vs4mjy6hbh",
            "version": 1,
        }))
        .answers::<DepositForm<'static>>(200, "The deposit, which is the invoice's.")
        .refuses(&[
            Code::MissingField,
            Code::DepositNotFound,
            Code::InvoiceNotFound,
            Code::VersionMismatch,
            Code::AlreadyAssigned,
            Code::NotAssignable,
            Code::InvoiceCancelled,
            Code::Conflict,
        ])
        .done();
    gathered
        .route(
            ("post", "/v1/deposits/{id}/return"),
            (DEPOSITS, "returnDeposit"),
            "Give a deposit back to its sender",
        )
        .says("Once, all of it or a part. The answer is a payment like every other.")
        .needs(Scope::InvoicesWrite)
        .part::<scalar::DepositId>("id", DEPOSIT)
        .may_be_idempotent()
        .may_take::<ReturnRequest>(json!({
            "amount": { "currency": "XRP", "value": "2.5" },
            "reason": "nobody knows whose it is",
        }))
        .answers::<PaymentDto<'static>>(201, "The payment that gives it back was accepted.")
        .leads_to(201, &ABOUT_ONE, &[("id", "/id")])
        .answers::<PaymentDto<'static>>(200, "It is returned already, by this payment.")
        .refuses(&NOT_ACCEPTED)
        .refuses(&[
            Code::DepositNotFound,
            Code::InvoiceNotFound,
            Code::ReturnAboveDelivered,
            Code::RefundAboveReceived,
            Code::AlreadyReturned,
            Code::NotReturnable,
            Code::TooManyPaybacks,
            Code::IsAReturn,
            Code::IsMatched,
            Code::NotKnownYet,
            Code::PaymentNotFound,
        ])
        .done();
}
