/** The one client of the page, and what the page does about refusals. */
import { ApiError, type Client, createClient, type Session, type SignIn } from "@skopos/api";
import { SkoposError } from "@skopos/model";
import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";

let csrfToken = "";

export const client: Client = createClient({
  baseUrl: "",
  fetch: (input, init) => fetch(input, { credentials: "same-origin", ...init }),
  headers: (): Record<string, string> => (csrfToken ? { "x-skopos-csrf": csrfToken } : {}),
});

const sessionKey = ["session"] as const;

function isSignedOut(error: unknown): boolean {
  return error instanceof ApiError && error.httpStatus === 401;
}

function forgetSession(error: unknown): void {
  if (isSignedOut(error)) queryClient.setQueryData(sessionKey, null);
}

/** Refusals do not get better by asking again; a server that restarts does. */
function worthRetrying(failures: number, error: unknown): boolean {
  if (error instanceof ApiError) return error.httpStatus >= 502 && failures < 2;
  return error instanceof SkoposError && error.code === "unreachable" && failures < 2;
}

export const queryClient: QueryClient = new QueryClient({
  queryCache: new QueryCache({ onError: forgetSession }),
  mutationCache: new MutationCache({ onError: forgetSession }),
  defaultOptions: {
    queries: { staleTime: 4000, gcTime: 300_000, retry: worthRetrying, networkMode: "always" },
    mutations: { networkMode: "always" },
  },
});

function remember(session: Session): Session {
  csrfToken = session.csrfToken;
  return session;
}

/** `null` when nobody is signed in. */
export const sessionQuery = {
  queryKey: sessionKey,
  queryFn: async (): Promise<Session | null> => {
    try {
      return remember(await client.call("session"));
    } catch (error) {
      if (isSignedOut(error)) return null;
      throw error;
    }
  },
  staleTime: 60_000,
};

/** Who looks is somebody else now: nothing the one before has seen stays. */
function changeSession(session: Session | null): void {
  queryClient.setQueryData(sessionKey, session);
  queryClient.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== sessionKey[0] });
}

export async function signIn(body: SignIn): Promise<void> {
  changeSession(remember(await client.call("signIn", { body })));
}

export async function signOut(): Promise<void> {
  await client.call("signOut");
  csrfToken = "";
  changeSession(null);
}

/** What went wrong, for people. */
export function saysError(error: unknown): string {
  if (error instanceof Error) return error.message;
  return String(error);
}
