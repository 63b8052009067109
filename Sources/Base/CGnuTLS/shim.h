#pragma once
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

// What goes wrong in a handshake, as far as it is counted.
enum varve_tls_step {
    VARVE_TLS_DONE = 0,
    VARVE_TLS_WANTS_READ = 1,
    VARVE_TLS_WANTS_WRITE = 2,
    // The other side is gone.
    VARVE_TLS_LEFT = 3,
    VARVE_TLS_NO_CERTIFICATE = 4,
    VARVE_TLS_FAILED = 5,
};

// Credentials of a server from files in PEM; `client_ca` may be null. A code of GnuTLS.
static inline int varve_tls_load(
    gnutls_certificate_credentials_t *credentials, const char *certificate, const char *key, const char *client_ca) {
    int code = gnutls_certificate_allocate_credentials(credentials);
    if (code < 0) return code;
    code = gnutls_certificate_set_x509_key_file(*credentials, certificate, key, GNUTLS_X509_FMT_PEM);
    if (code >= 0 && client_ca != NULL) {
        code = gnutls_certificate_set_x509_trust_file(*credentials, client_ca, GNUTLS_X509_FMT_PEM);
        if (code == 0) code = GNUTLS_E_NO_CERTIFICATE_FOUND;
    }
    if (code < 0) {
        gnutls_certificate_free_credentials(*credentials);
        *credentials = NULL;
        return code;
    }
    return 0;
}

// When the first certificate expires, in seconds since the epoch; -1 if that is not known.
static inline time_t varve_tls_expiry(gnutls_certificate_credentials_t credentials) {
    gnutls_datum_t raw;
    gnutls_x509_crt_t certificate;
    if (gnutls_certificate_get_crt_raw(credentials, 0, 0, &raw) < 0 || gnutls_x509_crt_init(&certificate) < 0) return -1;
    time_t expiry = -1;
    if (gnutls_x509_crt_import(certificate, &raw, GNUTLS_X509_FMT_DER) >= 0) {
        expiry = gnutls_x509_crt_get_expiration_time(certificate);
    }
    gnutls_x509_crt_deinit(certificate);
    return expiry;
}

// A session of a server over a socket that does not block. TLS 1.2 and 1.3; a client that names protocols must name `protocol`.
static inline int varve_tls_begin(
    gnutls_session_t *session, gnutls_certificate_credentials_t credentials, int needs_client_certificate,
    const char *protocol, int socket) {
    static const char *priorities = "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE";
    int code = gnutls_init(session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
    if (code < 0) return code;
    gnutls_datum_t name = {(unsigned char *)protocol, (unsigned)strlen(protocol)};
    if ((code = gnutls_priority_set_direct(*session, priorities, NULL)) < 0 ||
        (code = gnutls_credentials_set(*session, GNUTLS_CRD_CERTIFICATE, credentials)) < 0 ||
        (code = gnutls_alpn_set_protocols(*session, &name, 1, GNUTLS_ALPN_MANDATORY)) < 0) {
        gnutls_deinit(*session);
        return code;
    }
    gnutls_certificate_server_set_request(
        *session, needs_client_certificate ? GNUTLS_CERT_REQUIRE : GNUTLS_CERT_IGNORE);
    if (needs_client_certificate) gnutls_session_set_verify_cert(*session, NULL, 0);
    gnutls_transport_set_int(*session, socket);
    return 0;
}

// Goes on with a handshake; `code` is GnuTLS's if it failed, and the other side has been told.
static inline int varve_tls_handshake(gnutls_session_t session, int *code) {
    do {
        *code = gnutls_handshake(session);
    } while (*code == GNUTLS_E_INTERRUPTED || *code == GNUTLS_E_WARNING_ALERT_RECEIVED);
    switch (*code) {
    case GNUTLS_E_SUCCESS: return VARVE_TLS_DONE;
    case GNUTLS_E_AGAIN: return gnutls_record_get_direction(session) ? VARVE_TLS_WANTS_WRITE : VARVE_TLS_WANTS_READ;
    case GNUTLS_E_PREMATURE_TERMINATION:
    case GNUTLS_E_PULL_ERROR:
    case GNUTLS_E_PUSH_ERROR: return VARVE_TLS_LEFT;
    default: break;
    }
    gnutls_alert_send_appropriate(session, *code);
    switch (*code) {
    case GNUTLS_E_CERTIFICATE_REQUIRED:
    case GNUTLS_E_NO_CERTIFICATE_FOUND:
    case GNUTLS_E_CERTIFICATE_ERROR:
    case GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR: return VARVE_TLS_NO_CERTIFICATE;
    default: return VARVE_TLS_FAILED;
    }
}

// Bytes, 0 at the end, or a code of GnuTLS below zero: `GNUTLS_E_AGAIN` until more has come.
static inline ptrdiff_t varve_tls_receive(gnutls_session_t session, void *buffer, size_t capacity) {
    for (;;) {
        ptrdiff_t count = gnutls_record_recv(session, buffer, capacity);
        if (count == GNUTLS_E_INTERRUPTED || count == GNUTLS_E_WARNING_ALERT_RECEIVED) continue;
        return count == GNUTLS_E_PREMATURE_TERMINATION ? 0 : count;
    }
}

static inline ptrdiff_t varve_tls_send(gnutls_session_t session, const void *bytes, size_t count) {
    ptrdiff_t sent;
    do {
        sent = gnutls_record_send(session, bytes, count);
    } while (sent == GNUTLS_E_INTERRUPTED);
    return sent;
}

// A public key from PEM (SubjectPublicKeyInfo); what it is, its bits, and of an elliptic curve which. A code of GnuTLS.
static inline int varve_key_load(
    gnutls_pubkey_t *key, const void *pem, size_t count, int *algorithm, unsigned *bits, int *curve) {
    int code = gnutls_pubkey_init(key);
    if (code < 0) return code;
    gnutls_datum_t text = {(unsigned char *)pem, (unsigned)count};
    if ((code = gnutls_pubkey_import(*key, &text, GNUTLS_X509_FMT_PEM)) < 0) {
        gnutls_pubkey_deinit(*key);
        *key = NULL;
        return code;
    }
    *algorithm = gnutls_pubkey_get_pk_algorithm(*key, bits);
    *curve = GNUTLS_ECC_CURVE_INVALID;
    if (*algorithm == GNUTLS_PK_ECDSA) {
        gnutls_ecc_curve_t found;
        if (gnutls_pubkey_export_ecc_raw2(*key, &found, NULL, NULL, 0) >= 0) *curve = found;
    }
    return 0;
}

// Whether a signature is of these bytes and this key. Of ECDSA it is two numbers of the same length, as in JSON Web Signatures.
static inline int varve_key_verifies(
    gnutls_pubkey_t key, gnutls_sign_algorithm_t algorithm, int is_ecdsa, const void *bytes, size_t count,
    const void *signature, size_t signature_count) {
    gnutls_datum_t data = {(unsigned char *)bytes, (unsigned)count};
    gnutls_datum_t sent = {(unsigned char *)signature, (unsigned)signature_count};
    if (!is_ecdsa) return gnutls_pubkey_verify_data2(key, algorithm, 0, &data, &sent) >= 0;
    unsigned half = (unsigned)(signature_count / 2);
    gnutls_datum_t r = {sent.data, half}, s = {sent.data + half, half}, encoded;
    if (gnutls_encode_rs_value(&encoded, &r, &s) < 0) return 0;
    int code = gnutls_pubkey_verify_data2(key, algorithm, 0, &data, &encoded);
    gnutls_free(encoded.data);
    return code >= 0;
}
