"""Pages by e-mail, over SMTP with TLS."""

from __future__ import annotations

import hashlib
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate

from bot.duty.notice import Event, Notice
from bot.duty.senders import TIMEOUT_S, Deadline, SendError
from bot.duty.wire import tls_context

SECURITY = ("starttls", "tls", "none")


@dataclass(frozen=True)
class Mail:
    """Sends pages through a mail server.

    Attributes:
        host: of the mail server.
        from_address: that the mail is from.
        port: 1 to 65535.
        security: "starttls" (usual at port 587), "tls" (465) or "none".
        user: to log in as; "" for none.
        password: of the user.
        timeout_s: for one message, 1 to 60 seconds.
        ca_file: certificates to trust instead of the system's, or "".
    """

    host: str
    from_address: str
    port: int = 587
    security: str = "starttls"
    user: str = ""
    password: str = field(default="", repr=False)
    timeout_s: float = TIMEOUT_S
    ca_file: str = ""

    def send(self, notice: Notice, to: str, key: str) -> None:
        """Sends a mail; see `Sender.send`.

        Args:
            notice: what it says.
            to: one e-mail address.
            key: becomes the Message-ID, by which mail servers and programs know a repetition.
        """
        message = self.message(notice, to, key)
        with self._session() as server:
            server.send_message(message, self.from_address, [to])

    def ping(self) -> None:
        """Connects and logs in; see `Sender.ping`."""
        with self._session() as server:
            code, _ = server.noop()
            if code != 250:
                raise SendError(f"mail server answered {code} to a no-operation")

    def message(self, notice: Notice, to: str, key: str) -> EmailMessage:
        """The mail that a page becomes."""
        message = EmailMessage()
        message["Subject"] = notice.subject
        message["From"] = self.from_address
        message["To"] = to
        message["Date"] = formatdate()
        domain = self.from_address.rpartition("@")[2]
        message["Message-ID"] = f"<{hashlib.sha256(key.encode()).hexdigest()[:32]}@{domain}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
        if notice.event is Event.PAGE:
            message["Importance"] = "high"
            message["X-Priority"] = "1"
        message.set_content(notice.text)
        return message

    @contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        """A connection that is logged in, and that ends in time.

        Raises:
            SendError: the server refuses or does not answer. Its own words are left out, since some
                servers repeat what they were sent.
        """
        context = tls_context(self.ca_file)
        if self.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                local_hostname=socket.gethostname(), timeout=self.timeout_s, context=context
            )
        else:
            # Named, since smtplib would otherwise ask the network for a name, without a limit.
            server = smtplib.SMTP(local_hostname=socket.gethostname(), timeout=self.timeout_s)
        with Deadline(lambda: server.sock).after(self.timeout_s):
            try:
                self._log_in(server, context)
                yield server
            except smtplib.SMTPException as error:
                raise _explained(error) from error
            finally:
                server.close()  # without waiting for a good-bye; what was accepted is accepted

    def _log_in(self, server: smtplib.SMTP, context: ssl.SSLContext) -> None:
        # Python's own check of the certificate needs the name, which it otherwise takes at construction.
        server._host = self.host  # type: ignore[attr-defined]
        code, _ = server.connect(self.host, self.port)
        if code != 220:
            raise SendError(f"mail server answered {code} to a connection")
        if self.security == "starttls":
            server.starttls(context=context)
        if self.user:
            server.login(self.user, self.password)


def _explained(error: smtplib.SMTPException) -> SendError:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
        code = codes[0] if codes else 0
        return SendError(f"mail server refused the recipient ({code})", is_final=500 <= code < 600)
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return SendError(
            f"mail server refused the log-in ({error.smtp_code})", is_final=500 <= error.smtp_code < 600
        )
    if isinstance(error, smtplib.SMTPResponseException):
        return SendError(f"mail server answered {error.smtp_code}", is_final=500 <= error.smtp_code < 600)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return SendError("mail server does not offer what is configured (TLS or log-in)", is_final=True)
    return SendError(f"mail server ended the conversation ({type(error).__name__})")
