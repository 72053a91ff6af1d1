import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RowText } from '../../src/domain/template.ts';
import { compileQuery, EXACT_NAME_SCORE, scoreText } from '../../src/federation/relevance.ts';
import { CLOCK_BOUND } from '../helpers/clock-bound.ts';

const BLANK: RowText = {
  name: 'other',
  title: null,
  description: null,
  keywords: [],
  tags: [],
  category: null,
  domain: null,
};

const row = (members: Partial<RowText>): RowText => ({ ...BLANK, ...members });
const score = (query: string, members: Partial<RowText>): number => scoreText(compileQuery(query), row(members));

const DESEQ: RowText = row({
  name: 'bioconductor-deseq2',
  title: 'Differential expression with DESeq2',
  description: 'Estimates variance-mean dependence in count data from RNA-seq and tests for differential expression.',
  keywords: ['rna-seq', 'transcriptomics'],
  tags: ['r'],
  category: 'genomics',
  domain: 'life sciences',
});

const anyText = fc.oneof(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }), fc.lorem());
const anyRow: fc.Arbitrary<RowText> = fc.record({
  name: fc.oneof(anyText, fc.constantFrom('rna-seq', 'rnaseq', 'r_seurat')),
  title: fc.option(anyText),
  description: fc.option(anyText),
  keywords: fc.array(anyText, { maxLength: 4 }),
  tags: fc.array(anyText, { maxLength: 4 }),
  category: fc.option(anyText),
  domain: fc.option(anyText),
});
const word = fc.constantFrom(
  'rna',
  'seq',
  'deseq2',
  'expression',
  'differential',
  'count',
  'the',
  'data',
  'bioconductor',
  'r',
);
const wordQuery = fc.array(word, { minLength: 1, maxLength: 6 }).map((words) => words.join(' '));

describe('properties of a score', () => {
  test('is an integer from 0 to 65535 for any query and any text', () => {
    fc.assert(
      fc.property(anyText, anyRow, (query, text) => {
        const value = scoreText(compileQuery(query), text);
        expect(Number.isInteger(value) && value >= 0 && value <= 65_535).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test('depends on the query and the row alone, not on what was scored before', () => {
    fc.assert(
      fc.property(anyText, anyRow, anyRow, (query, text, earlier) => {
        const used = compileQuery(query);
        scoreText(used, earlier);
        expect(scoreText(used, text)).toBe(scoreText(compileQuery(query), text));
      }),
      { numRuns: 500 },
    );
  });

  test('is highest where the name is the query, and only there', () => {
    fc.assert(
      fc.property(wordQuery, anyRow, (query, text) => {
        expect(score(query, { ...text, name: query })).toBe(EXACT_NAME_SCORE);
        expect(score(query, { ...text, name: `${query} q` })).toBeLessThan(EXACT_NAME_SCORE);
      }),
    );
  });

  test('is 0 without a query, and for rows that have nothing in common with it', () => {
    fc.assert(
      fc.property(anyRow, fc.constantFrom('', ' ', '\t\n', '--', '。'), (text, query) => {
        expect(score(query, text)).toBe(0);
      }),
    );
    expect(score('zzz yyy', DESEQ)).toBe(0);
  });

  test('is the same in whatever case, form and with whatever diacritics the query is written', () => {
    fc.assert(
      fc.property(wordQuery, (query) => {
        const expected = scoreText(compileQuery(query), DESEQ);
        const accented = query.normalize('NFD').replace(/[eau]/g, (letter) => `${letter}\u0301`);
        const wide = query.replace(/[a-z]/g, (letter) => String.fromCodePoint((letter.codePointAt(0) ?? 0) + 0xfee0));
        const variants = [query.toUpperCase(), accented, accented.normalize('NFC'), wide, ` ${query}\n`];
        for (const variant of variants) expect(scoreText(compileQuery(variant), DESEQ)).toBe(expected);
      }),
    );
  });

  test('is the same with whatever separators the query is written, an exact name aside', () => {
    fc.assert(
      fc.property(wordQuery, fc.constantFrom('-', '_', '/', '.', '  ', ' – '), (query, separator) => {
        fc.pre(query.replaceAll(' ', separator) !== DESEQ.name);
        expect(score(query.replaceAll(' ', separator), DESEQ)).toBe(score(query, DESEQ));
      }),
    );
  });

  test('is never raised by text that has nothing to do with the query', () => {
    const noise = fc.array(fc.constantFrom('zyxw', 'qqq', 'Jjjj', 'kwyjibo', 'ж', '数'), {
      minLength: 1,
      maxLength: 30,
    });
    fc.assert(
      fc.property(wordQuery, noise, (query, words) => {
        const compiled = compileQuery(query);
        const before = scoreText(compiled, DESEQ);
        const added = ` ${words.join(' ')}`;
        const noisier: Partial<RowText>[] = [
          { name: DESEQ.name + added },
          { title: DESEQ.title + added },
          { description: DESEQ.description + added },
          { description: `${added} ${DESEQ.description}` },
          { keywords: [...DESEQ.keywords, ...words] },
          { tags: [...words, ...DESEQ.tags] },
          { category: DESEQ.category + added },
          { domain: DESEQ.domain + added },
        ];
        for (const members of noisier)
          expect(scoreText(compiled, { ...DESEQ, ...members })).toBeLessThanOrEqual(before);
      }),
    );
  });
});

describe('what a reader expects', () => {
  const NAMES: [query: string, name: string][] = [
    ['RNA-Seq', 'rna-seq'],
    ['genomics/RNAseq', 'genomics/rnaseq'],
    ['Café', 'cafe'],
    ['STRASSE', 'straße'],
    ['istanbul', 'İstanbul'],
    ['ΟΔΟΣ', 'οδος'],
    ['𐐀', '𐐨'],
  ];
  test.each(NAMES)('the query "%s" is exactly the name "%s"', (query, name) => {
    expect(score(query, { name })).toBe(EXACT_NAME_SCORE);
  });

  const SAME: [query: string, name: string][] = [
    ['rnaseq', 'rna-seq'],
    ['rna seq', 'rnaseq'],
    ['genomics rnaseq', 'genomics/rnaseq'],
    ['r seurat', 'r_seurat'],
    ['bioc parallel', 'BiocParallel'],
    ['deseq-2', 'DESeq2'],
  ];
  test.each(SAME)('the query "%s" is the name "%s" but for separators: before all but the exact one', (query, name) => {
    expect(score(query, { name })).toBe(EXACT_NAME_SCORE - 1);
  });

  const BETTER: [promise: string, query: string, first: Partial<RowText>, second: Partial<RowText>][] = [
    ['a name before a description', 'seurat', { name: 'r-seurat' }, { description: 'works with seurat' }],
    ['every term before one term in the name', 'bam sort', { description: 'sort a bam file' }, { name: 'bam-x' }],
    ['the shorter of two names', 'samtools', { name: 'samtools-view' }, { name: 'samtools-view-to-fastq' }],
    ['a whole word before a beginning', 'map', { name: 'map-reads' }, { name: 'mapping-reads' }],
    ['half a last word in a name', 'single cell sc', { name: 'single-cell-scanpy' }, { name: 'single-cell-rna' }],
    [
      'a phrase before scattered words',
      'gene set',
      { description: 'gene set tests' },
      { description: 'set of gene tests' },
    ],
    ['a rare word before a common one', 'phylogeny tool', { description: 'phylogeny' }, { description: 'tool' }],
    ['a part of a camelCase name', 'parallel', { name: 'BiocParallel' }, { name: 'bioc' }],
    ['a joined word found in parts', 'rnaseq', { description: 'for rna-seq' }, { description: 'for rna' }],
    ['parts found in a joined word', 'rna seq', { description: 'for rnaseq' }, { description: 'for rna' }],
    ['a plural', 'genome', { description: 'all genomes' }, { description: 'all genes' }],
    ['a label before running text', 'climate', { keywords: ['climate'] }, { description: 'of climate and of more' }],
    ['function words may be missing', 'the climate', { name: 'climate-x' }, { name: 'the-x' }],
    ['words of a script without spaces', '数据', { description: '统计数据分析' }, { description: '统计分析' }],
  ];
  test.each(BETTER)('ranks first: %s', (_promise, query, first, second) => {
    expect(score(query, first)).toBeGreaterThan(score(query, second));
  });

  test('a title that repeats the name counts nothing extra', () => {
    expect(score('samtools view', { name: 'samtools', title: 'samtools' })).toBe(
      score('samtools view', { name: 'samtools' }),
    );
  });
});

describe('bounds', () => {
  test('text beyond the bound and lone surrogates do not count', () => {
    expect(score('needle', { description: `${'x '.repeat(5_000)}needle` })).toBe(0);
    expect(score('needle', { keywords: [...Array.from({ length: 5_000 }, () => 'x'), 'needle'] })).toBe(0);
    expect(score('a', { description: '\ud800a\udc00' })).toBeGreaterThan(0);
  });

  test(
    'a query of 1,000 characters against long text of any script costs a row less than a millisecond',
    CLOCK_BOUND,
    () => {
      const units = ['a ', 'a', '한', '\ufdfa', 'ệ ', '\u0323\u0301', 'ß', '\u{1d400}', '数', 'İ', 'aB', '\ud800'];
      for (const unit of units) {
        const long = unit.repeat(2_000);
        const text: RowText = {
          ...row({ name: long, title: `${long}x`, description: long }),
          keywords: [long],
          tags: [long],
        };
        for (const query of ['a b c d e f g h i j k l m n o p q r s t u v w x y z '.repeat(20), long]) {
          const compiled = compileQuery(query.slice(0, 1_000));
          scoreText(compiled, text);
          let fastestMs = Number.POSITIVE_INFINITY;
          for (let run = 0; run < 50; run += 1) {
            const startedMs = performance.now();
            scoreText(compiled, text);
            fastestMs = Math.min(fastestMs, performance.now() - startedMs);
          }
          expect(fastestMs).toBeLessThan(1);
        }
      }
    },
  );
});
