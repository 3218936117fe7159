import { type FormEvent, type ReactNode, useState } from "react";
import { saysError, signIn } from "../data/client.ts";

/** Paste a token, or come back with the one-time link. `failure` is why the link did not do. */
export function SignIn({ failure }: { readonly failure: string | null }): ReactNode {
  const [token, setToken] = useState("");
  const [error, setError] = useState(failure);
  const [busy, setBusy] = useState(false);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    signIn({ token: token.trim() }).catch((refusal: unknown) => {
      setError(saysError(refusal));
      setBusy(false);
    });
  };
  return (
    <main className="sign-in">
      <form className="stack" onSubmit={submit}>
        <div className="row tight">
          <img src="/favicon.svg" width={32} height={32} alt="" />
          <h1>Skopos</h1>
        </div>
        <p className="quiet">
          Open the one-time link that <code>skopos demo</code> or <code>skopos serve</code> printed,
          or paste a token. Restarting the server prints a new link.
        </p>
        <label className="labelled">
          Token
          <input
            className="field mono"
            type="password"
            autoComplete="current-password"
            value={token}
            onChange={(event) => setToken(event.target.value)}
          />
        </label>
        {error !== null && (
          <p className="notice failing" role="alert">
            {error}
          </p>
        )}
        <button type="submit" className="button primary" disabled={busy || token.trim() === ""}>
          {busy ? "Signing in…" : "Sign in"}
        </button>
      </form>
    </main>
  );
}
