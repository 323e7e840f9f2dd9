//! What is issued for certificate requests, and what is not.

use super::*;

fn certificate_requests(requests: Value) -> Value {
    json!({"certificaterequests": requests, "pfxpassword": "p", "comments": ""})
}

#[test]
fn a_certificate_is_issued_once_and_listed() {
    let path = format!("requests/{REQUEST}/certificatedata");
    let (der, text_of) = (STANDARD.encode(RSA_REQUEST), |reply: &Reply| text(reply).to_owned());
    for (form, turned) in [(CertificateForm::Cmc, 0), (CertificateForm::Bag, 0), (CertificateForm::Bag, 2)] {
        let state = State::new(settings());
        state.change(|settings| (settings.certificate_form, settings.certificates_turned) = (form, turned));
        let lines = format!("{}\r\n{}\r\n", &der[..64], &der[64..]);
        let reply = post(&state, &path, &certificate_requests(json!([lines])));
        assert_eq!(reply.status, 200, "{}", text(&reply));
        let answer: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!((answer.as_array().unwrap().len(), &answer[0]["Error"]), (1, &Value::Null));
        assert_eq!((&answer[0]["isPkcs7"], &answer[0]["Pfx"]), (&json!(true), &Value::Null));
        let blob = answer[0]["Pkcs7"].as_str().unwrap();
        assert!(blob.ends_with("\r\n") && blob.lines().all(|line| line.len() <= 64));
        let listed = object(&state, &format!("smartcards/{SCID}/certificates"));
        let number = listed[0]["SerialNumber"].as_str().unwrap();
        assert!(number.starts_with("1B0000B0") && listed[0]["Thumbprint"].as_str().unwrap().len() == 40);
        // The certificate that is listed is the one in the message.
        let message = STANDARD.decode(blob.split("\r\n").collect::<String>()).unwrap();
        let number = hex::decode(number).unwrap();
        assert!(message.windows(number.len()).any(|part| part == number));
        assert!(state.violations().is_empty());

        refused(&state, &post(&state, &path, &certificate_requests(json!([der]))), 403, Rule::AlreadyIssued);
        state.change(|settings| settings.issues_again = true);
        assert_eq!(post(&state, &path, &certificate_requests(json!([der]))).status, 200);
        assert_eq!(object(&state, &format!("smartcards/{SCID}/certificates")).as_array().unwrap().len(), 2);
        assert_eq!(get(&state, &path, "").status, 405);
        assert!(text_of(&get(&state, "certificates", "")).contains("1B0000B0"));
    }
    let state = State::new(settings());
    assert_eq!(state.authorities_pem().unwrap().matches("BEGIN CERTIFICATE").count(), 2);
    assert_eq!(state.authorities_pem().unwrap(), state.authorities_pem().unwrap(), "made once");
}

#[test]
fn certificate_requests_are_read_strictly() {
    let state = State::new(settings());
    let path = format!("requests/{REQUEST}/certificatedata");
    let der = STANDARD.encode(RSA_REQUEST);
    let armoured = format!("-----BEGIN CERTIFICATE REQUEST-----\r\n{der}\r\n-----END CERTIFICATE REQUEST-----");
    let longer = STANDARD.encode([RSA_REQUEST, &[4]].concat());
    let mut forged = RSA_REQUEST.to_vec();
    forged[200] ^= 1;
    let forged = STANDARD.encode(forged);
    let least = STANDARD.encode([0x30, 0x03, 1, 2, 3]);
    for requests in [
        json!([]),
        json!([der, der]),
        json!([armoured]),
        json!([longer]),
        json!([forged]),
        json!([least]),
        json!(["!"]),
        json!([1]),
        json!([null]),
    ] {
        refused(&state, &post(&state, &path, &certificate_requests(requests)), 400, Rule::CertificateRequests);
    }
    refused(&state, &post(&state, &path, &certificate_requests(json!("x"))), 400, Rule::BodyShape);
    let mut no_password = certificate_requests(json!([der]));
    no_password["pfxpassword"] = json!(null);
    refused(&state, &post(&state, &path, &no_password), 400, Rule::BodyShape);
    state.set_request_status(REQUEST, RequestStatus::Pending);
    refused(&state, &post(&state, &path, &certificate_requests(json!([der]))), 403, Rule::RequestStatus);
    state.set_request_status(REQUEST, RequestStatus::Approved);
    state.change(|settings| settings.requests[0].new_card = None);
    refused(&state, &post(&state, &path, &certificate_requests(json!([der]))), 403, Rule::CardNotBound);
    assert_eq!(get(&state, "certificates", "").status, 204, "nothing was issued");
}

/// What an authority does not issue is an element with an error, in an answer that is a success.
#[test]
fn what_is_not_issued() {
    let path = format!("requests/{REQUEST}/certificatedata");
    let state = State::new(settings());
    let answer = |request: &[u8]| -> Value {
        let reply = post(&state, &path, &certificate_requests(json!([STANDARD.encode(request)])));
        assert_eq!(reply.status, 200, "{}", text(&reply));
        serde_json::from_slice(&reply.body).unwrap()
    };
    // Another key than the template wants.
    let refused = answer(P256_REQUEST);
    assert!(refused[0]["Error"].as_str().unwrap().contains("0x80094811"));
    assert_eq!((&refused[0]["Pkcs7"], &refused[0]["isPkcs7"]), (&Value::Null, &json!(false)));
    state.change(|settings| settings.issues = Issues::Denied("Denied by Policy Module".to_owned()));
    assert_eq!(answer(RSA_REQUEST)[0]["Error"], "Denied by Policy Module");
    state.change(|settings| settings.issues = Issues::Nothing);
    assert_eq!(answer(RSA_REQUEST), json!([]));
    assert_eq!(get(&state, "certificates", "").status, 204);
    state.change(|settings| {
        settings.issues = Issues::Right;
        settings.more_answers = vec![r#"{"isKeyHistory":true}"#.to_owned()];
        let options = &mut settings.templates[0].keys[0];
        (options.algorithm, options.bits) = ("ECDSA_P256".to_owned(), 256);
    });
    let more = answer(P256_REQUEST);
    assert_eq!((&more[0], more[1]["isPkcs7"].as_bool()), (&json!({"isKeyHistory": true}), Some(true)));
    assert!(state.violations().is_empty());
}
