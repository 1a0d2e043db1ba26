import { X509Certificate } from "node:crypto";

/**
 * What is wrong with the authorities of client certificates. Node takes any text in their place: it then trusts
 * nobody, and every client is refused with no word on why.
 *
 * @param text PEM, one certificate or more
 * @returns why it cannot be used, or `undefined`
 */
export function authorityFault(text: string): string | undefined {
  const blocks = text.match(/-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g) ?? [];
  const certificates = blocks.filter((block) =>
    /^-----BEGIN [A-Z0-9 ]*CERTIFICATE-----/.test(block),
  );
  if (certificates.length === 0) return "it holds no certificate in PEM";
  for (const [index, certificate] of certificates.entries()) {
    try {
      new X509Certificate(certificate);
    } catch {
      return `its certificate number ${index + 1} cannot be read`;
    }
  }
  return undefined;
}
