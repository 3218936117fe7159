/**
 * The masking rules that are built in: secrets by the names of the fields that hold them, and by their looks. All of them
 * are written so that their time grows with the text's length, whatever the text.
 */

export interface BuiltInRule {
  readonly name: string;
  /** Masked only where asked for: what they find may be what people look for. */
  readonly optional?: true;
  /** Fields whose whole value is masked; compared without regard to case, `-` and `.` read as `_`, prefixes ignored. */
  readonly keys?: readonly string[];
  /** What texts have in common in which `find` may find something: one scan decides for all rules. */
  readonly trigger?: RegExp;
  /** Three characters each: every match of `trigger` holds one of them, for `TripleScan`. */
  readonly triples?: readonly string[];
  readonly find?: RegExp;
  /** What stands for a match; undefined leaves it. `groups` are the expression's groups. */
  readonly replace?: (match: string, groups: readonly (string | undefined)[]) => string | undefined;
}

export const mask = "***";

const secretNames =
  "pass(?:word|wd|phrase)|pwd|(?:client_?|api_?|shared_?)?secret|secret_?(?:access_?)?key|(?:access|refresh|id|auth|session|csrf|bearer)[_-]?token|api[_-]?key|private[_-]?key|authorization";

function keepFirst(_match: string, [first = ""]: readonly (string | undefined)[]): string {
  return `${first}${mask}`;
}

export const builtInRules: readonly BuiltInRule[] = [
  {
    name: "secret-fields",
    keys: [
      "authorization",
      "proxy_authorization",
      "cookie",
      "set_cookie",
      "x_api_key",
      "api_key",
      "apikey",
      "x_auth_token",
      "x_csrf_token",
      "x_xsrf_token",
      "x_amz_security_token",
      "x_vault_token",
      "password",
      "passwd",
      "passphrase",
      "client_secret",
      "secret_key",
      "secret_access_key",
      "private_key",
      "access_token",
      "refresh_token",
      "id_token",
    ],
  },
  {
    name: "url-secrets",
    // In capitals `token=` and its like are assigned secrets.
    trigger:
      /[?&;](?:[Aa]ccess_?[Tt]|[Rr]efresh_|[Ii]d_t|[Aa]uth|[Tt]oken=|[Aa]pi_?[Kk]ey|[Kk]ey=|[Ss]ig|[Xx]-[AaGg]|[Pp]ass|[Ss]ecret|[Cc]lient_s|[Cc]ode=|[Ss]ession=|[Ss]id=|[Jj]wt=)/,
    triples: [
      "?ac",
      "?re",
      "?id",
      "?au",
      "?to",
      "?ap",
      "?ke",
      "?si",
      "?x-",
      "?pa",
      "?se",
      "?cl",
      "?co",
      "?jw",
    ],
    find: /([?&;](?:access_token|refresh_token|id_token|auth_token|token|api_?key|apikey|key|sig|signature|x-amz-signature|x-amz-security-token|x-goog-signature|pass(?:word|wd)|secret|client_secret|code|auth|session|sid|jwt)=)[^&\s"'#;\\]+/gi,
    replace: keepFirst,
  },
  {
    name: "url-passwords",
    trigger: /:\/\/[^\s/:@"'?#]{0,256}:[^\s/@"'?#]{1,256}@/,
    triples: ["://"],
    find: /(:\/\/[^\s/:@"'?#]{0,256}:)[^\s/@"'?#]{1,256}@/g,
    replace: (_match, [first = ""]) => `${first}${mask}@`,
  },
  {
    name: "bearer-tokens",
    trigger: /[Bb]earer |[Bb]asic |BEARER |BASIC /,
    triples: ["rer", "sic"],
    find: /\b((?:bearer|basic) )[A-Za-z0-9._~+/=-]{8,}/gi,
    replace: keepFirst,
  },
  {
    name: "json-web-tokens",
    trigger: /eyJ/,
    triples: ["eyJ"],
    find: /\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*/g,
    replace: () => mask,
  },
  {
    name: "cloud-keys",
    trigger: /AKIA|ASIA|AIza|ghp_|gho_|ghs_|github_pat_|xox[abprs]-|sk_live_/,
    triples: ["KIA", "SIA", "Iza", "ghp", "gho", "ghs", "hub", "xox", "k_l"],
    find: /\b(?:(?:AKIA|ASIA)[0-9A-Z]{16}|AIza[0-9A-Za-z_-]{35}|gh[pos]_[0-9A-Za-z]{36}|github_pat_[0-9A-Za-z_]{40,100}|xox[abprs]-[0-9A-Za-z-]{10,100}|sk_live_[0-9A-Za-z]{16,64})\b/g,
    replace: () => mask,
  },
  {
    name: "private-keys",
    trigger: /PRIVATE KEY/,
    triples: ["iva"],
    find: /(-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----)[^-]*/g,
    replace: keepFirst,
  },
  {
    name: "assigned-secrets",
    trigger:
      /[Pp]ass(?:w|ph)|PASSW|pwd|PWD|[Ss]ecret|SECRET|[Tt]oken|TOKEN|[Aa]pi[_-]?[Kk]ey|API[_-]?KEY|[Pp]rivate[_-]?[Kk]ey|PRIVATE_KEY|uthorization/,
    triples: ["ssw", "ssp", "pwd", "ecr", "tok", "pik", "pi_", "iva", "riz"],
    find: new RegExp(
      String.raw`(\b[A-Za-z0-9]{0,32}_?(?:${secretNames})\\?["']?\s{0,4}[=:]\s{0,4}|\btoken(?:=|\\?["']\s{0,4}:\s{0,4}))(\\"[^"\\]*\\"|"(?:[^"\\]|\\.)*"|'[^']*'|[^\s,;&"'}\])\\]+)`,
      "gi",
    ),
    replace: (_match, [name = "", value = ""]) => {
      const quote = /^\\?["']/.exec(value)?.[0] ?? "";
      // Nothing to hide, or hidden already.
      if (value === "" || value.length === quote.length * 2 || value.includes(mask))
        return undefined;
      // `Authorization: Bearer …` has a rule of its own for what follows the scheme.
      if (/^(?:bearer|basic|null|true|false|undefined|none)$/i.test(value)) return undefined;
      return `${name}${quote}${mask}${quote}`;
    },
  },
  {
    name: "emails",
    optional: true,
    trigger: /@/,
    find: /\b[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}/g,
    replace: () => mask,
  },
  {
    name: "card-numbers",
    optional: true,
    trigger: /\d{4}[ -]?\d{4}/,
    find: /\b\d(?:[ -]?\d){12,18}\b/g,
    replace: (match) => (isCardNumber(match) ? mask : undefined),
  },
];

/** Luhn's check: of random digits nine in ten fail it. */
function isCardNumber(text: string): boolean {
  const digits = text.replaceAll(/\D/g, "");
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = Number(digits[digits.length - 1 - i]);
    const weighed = i % 2 === 1 ? digit * 2 : digit;
    sum += weighed > 9 ? weighed - 9 : weighed;
  }
  return sum % 10 === 0;
}
